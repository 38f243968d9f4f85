<?php
// PHP, with the extension redis: apt-get install php-cli php-redis.

$binary = implode("", array_map("chr", range(0, 255))) . "\r\n";
$tls = ["cafile" => getenv("CA"), "verify_peer" => true, "verify_peer_name" => true];
$redis = new Redis();

function check(bool $holds, string $what): void
{
    $holds || exit("failed: $what\n");
}

// Say how far it is, and wait until the test has done its part.
function tell(string $word): void
{
    echo "$word\n";
    fgets(STDIN);
}

function enter(Redis $redis, array $tls): void
{
    $redis->connect("tls://localhost", (int) getenv("PORT"), 5, null, 0, 5, ["stream" => $tls]);
    $redis->auth(getenv("TOKEN"));
}

// Ask until there is an answer, as a program does that goes on.
function comeBack(Redis $redis, array $tls): void
{
    for ($round = 0; $round < 100; $round++) {
        try {
            if (@$redis->echo("back") === "back") {
                return;
            }
        } catch (RedisException) {
            usleep(100_000);
            try {
                @enter($redis, $tls);
            } catch (RedisException) {
            }
        }
    }
    exit("did not come back\n");
}

enter($redis, $tls);
check($redis->echo($binary) === $binary, "echo");
check(array_column($redis->client("list"), "user") === ["admin"], "list");
$pipeline = $redis->pipeline();
foreach (range(0, 999) as $number) {
    $pipeline->echo((string) $number);
}
check($pipeline->exec() === array_map("strval", range(0, 999)), "pipeline");
tell("ready");
foreach (["kicked", "drained"] as $_) {
    comeBack($redis, $tls);
    tell("back");
}
$redis->close();
