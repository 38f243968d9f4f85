// Node.js, with ioredis: npm ci --prefix examples/node; SECURE_CLIENT_TOKEN=… node examples/node/ioredis.js
import { readFileSync } from "node:fs";
import { Redis } from "ioredis";

const client = new Redis({
  host: process.env.SECURE_HOST ?? "localhost",
  port: Number(process.env.SECURE_PORT ?? 5000),
  tls: { ca: readFileSync(process.env.SECURE_CA ?? "certs/ca.pem") },
  password: process.env.SECURE_CLIENT_TOKEN,
});
console.log(await client.echo("hello from ioredis"));
console.log(await client.call("WHOAMI"));
await client.quit();
