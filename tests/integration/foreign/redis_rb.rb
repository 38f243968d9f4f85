# Ruby, with the gem redis: apt-get install ruby-redis.
require "redis"

BINARY = ((0..255).to_a + [13, 10]).pack("C*")

# Say how far it is, and wait until the test has done its part.
def tell(word)
  puts word
  $stdout.flush
  $stdin.gets
end

# Ask until there is an answer, as a program does that goes on.
def come_back(redis)
  100.times do
    return if redis.echo("back") == "back"
  rescue Redis::BaseConnectionError
    sleep 0.1
  end
  abort "did not come back"
end

def check(holds, what)
  holds || abort("failed: #{what}")
end

redis = Redis.new(
  host: "localhost", port: ENV.fetch("PORT").to_i, password: ENV.fetch("TOKEN"),
  ssl: true, ssl_params: { ca_file: ENV.fetch("CA") }
)
check(redis.echo(BINARY).b == BINARY, "echo")
check(redis.client(:list).map { |row| row["user"] } == ["admin"], "list")
numbers = (0...1000).map(&:to_s)
check(redis.pipelined { |pipeline| numbers.each { |number| pipeline.echo(number) } } == numbers, "pipeline")
tell("ready")
%w[kicked drained].each do
  come_back(redis)
  tell("back")
end
redis.close
