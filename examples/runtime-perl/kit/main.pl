# The operations of the conformance kit. The input is a JSON string: an operation and its argument.
use strict;
use warnings;

$| = 1;
my $input = do { local $/; <STDIN> };
my ($op, $rest) = $input =~ /^"([a-z-]+) ?(.*)"$/s or die "no operation: $input";

sub slurp { open(my $file, '<:raw', $_[0]) or exit 1; local $/; my $text = <$file>; return $text }
sub spew { open(my $file, '>:raw', $_[0]) or die "$_[0]: $!"; print $file $_[1]; close $file }
sub sleeper { my $pid = fork // die "fork: $!"; return $pid if $pid; exec 'sleep', $_[0] }

my %ops = (
    hello => sub { print qq({"hello":"world"}\n) },
    print => sub { print "$rest\n" },
    env   => sub { print "$ENV{$rest}\n" },
    exit  => sub { print "out\n"; print STDERR "err\n"; exit $rest },
    read  => sub { print slurp($rest) },
    flood => sub { print 'x' x $rest },
    input => sub {
        spew('/output/stdin', $input);
        spew('/output/file', slurp($ENV{PAYLOAD_FILE}));
        spew('/output/env', $ENV{PAYLOAD} // '');
    },
    files => sub {
        mkdir "/output/$_" for 'a', 'a/b';
        my $bytes = join '', map { chr } 0 .. 255;
        spew('/output/a/b/bytes', $bytes);
        spew('/output/empty', '');
        print $bytes;
    },
    hold => sub {
        my ($mib, $ms) = split ' ', $rest;
        my $held = '';
        vec($held, $mib * 1048576 - 1, 8) = 1 if $mib;
        select(undef, undef, undef, $ms / 1000);
    },
    hang => sub { $SIG{TERM} = 'IGNORE'; print "hanging\n"; sleeper(60); sleep 60 },
    'fork-bomb' => sub { for (1 .. 1000) { sleeper(20); print "$_\n" } },
    leave => sub { spew("$_/left", 'left') for '.', '/tmp', '/var/tmp', '/dev/shm', '/output' },
    daemon => sub {
        my $pid = fork // die "fork: $!";
        if ($pid) { print "$pid\n"; return }
        open(STDIN, '<', '/dev/null'); open(STDOUT, '>', '/dev/null'); open(STDERR, '>', '/dev/null');
        exec 'setsid', 'sleep', '60';
    },
);
($ops{$op} // die "unknown operation: $op")->();
