# Perl, with the module Redis: apt-get install libredis-perl libio-socket-ssl-perl.
use strict;
use warnings;
use IO::Socket::SSL qw(SSL_VERIFY_PEER);
use Redis;

$| = 1;
IO::Socket::SSL::set_defaults(SSL_ca_file => $ENV{CA});
my $binary = join("", map { chr } 0 .. 255) . "\r\n";

# Say how far it is, and wait until the test has done its part.
sub tell_test { print "$_[0]\n"; return scalar readline STDIN }

# It comes back by itself, within ten seconds, trying every 100 ms, as it is told here.
my $redis = Redis->new(
    server    => "localhost:$ENV{PORT}",
    password  => $ENV{TOKEN},
    reconnect => 10,
    every     => 100_000,
    ssl       => 1,
    SSL_verify_mode => SSL_VERIFY_PEER,
);

$redis->echo($binary) eq $binary or die "echo";
$redis->client("list") =~ /\A id=\d+ [ ] [^\n]* [ ]user=admin[ ] [^\n]* \n? \z/x or die "list";
my @numbers;
$redis->echo($_, sub { push @numbers, $_[0] }) for 0 .. 999;
$redis->wait_all_responses;
"@numbers" eq join(" ", 0 .. 999) or die "pipeline";
tell_test("ready");
for (qw(kicked drained)) {
    $redis->echo("back") eq "back" or die "did not come back";
    tell_test("back");
}
$redis->quit;
