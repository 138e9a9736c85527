# A spare process, as a language that cannot fork has it: gets ready, waits for its one RUN, drops to the job's user and
# runs it. A script is a file of Perl. A handler is a sub of one that gets the input as text, and returns JSON as text.
# The words after the file's name make it misbehave in ways that tests need.
use strict;
use warnings;

my %is = map { $_ => 1 } @ARGV;
my $uid = delete $ENV{NANOGRID_UID};
my %base = %ENV;
open(my $control, '+<&=', 4) or die "control: $!";
open(my $value, '>&=', 3) or die "value: $!";
$| = 1;
print STDERR "written before any job\n" if $is{'writes-ahead'};
exit 3 if $is{'ends-at-once'};

sub answer { syswrite($control, $_[0]) // exit($_[1] // 1) }

sub load {
    my $done = do "/function/$_[0]";
    die $@ if $@;
    die "$_[0]: $!" if !defined $done && !-e "/function/$_[0]";
}

sub run_handler {
    my ($name) = @_;
    my ($file, $sub) = $name =~ /^(.*)\.([^.]+)$/;
    load("$file.pl") if !main->can($sub);
    open(my $input, '<', $ENV{PAYLOAD_FILE}) or die "input: $!";
    my $text = main->can($sub)->(do { local $/; <$input> });
    syswrite($value, $text);
}

answer('READY ' . sprintf('%vd', $^V));
my $code = 0;
my $dropped = 0;
while (sysread($control, my $message, 524_288)) {
    if ($message eq "BIND\0") { answer('BOUND'); next }
    exit 1 if $is{'ends-with-its-job'};
    my ($word, $entrypoint, $handler, $ms, $keep, @pairs) = split(/\0/, $message, -1);
    if ($is{'never-drops'}) { $SIG{TERM} = 'IGNORE'; sleep 600 }
    %ENV = (%base, map { split(/=/, $_, 2) } grep { /=/ } @pairs);
    if (!$dropped) {
        $) = "$uid $uid";
        $( = $uid;
        ($<, $>) = ($uid, $uid);
        die 'the user was not dropped' if $> != $uid || $< != $uid;
        $dropped = 1;
    }
    chdir '/function' or die "folder: $!";
    if ($handler eq '') {
        load($entrypoint);
        exit 0;
    }
    $code = eval { run_handler($handler); 1 } ? 0 : 1;
    print STDERR $@ if $code;
    exit $code if !$keep;
    answer("END $code", $code);
}
exit $code;
