// Node.js, with redis: npm ci --prefix examples/node; SECURE_CLIENT_TOKEN=… node examples/node/redis.js
import { readFileSync } from "node:fs";
import { createClient } from "redis";

const client = createClient({
  RESP: 3,
  password: process.env.SECURE_CLIENT_TOKEN,
  socket: {
    tls: true,
    host: process.env.SECURE_HOST ?? "localhost",
    port: Number(process.env.SECURE_PORT ?? 5000),
    ca: readFileSync(process.env.SECURE_CA ?? "certs/ca.pem"),
  },
});
await client.connect();
console.log(await client.echo("hello from node-redis"));
console.log(await client.sendCommand(["WHOAMI"]));
await client.close();
