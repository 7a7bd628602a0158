#![no_main]

hangup::fuzz_scripts!(
    hangup::suite(fuzzed_server::serve).named("fuzzed server").close_within(hangup::secs(2))
);
