# Built with everything, run by ./dev bench: never a timed test.
add_executable(bench_seal bench/bench_seal.c bench/sink.c)
target_link_libraries(bench_seal PRIVATE hf_seal)
add_executable(bench_link bench/bench_link.c)
target_link_libraries(bench_link PRIVATE hf_seal hf_parent)

add_executable(bench_keystore bench/bench_keystore.c keystore_chain.c)
target_link_libraries(bench_keystore PRIVATE hf_attest hf_support)

add_executable(bench_policy bench/bench_policy.c)
target_link_libraries(bench_policy PRIVATE hf_policy_case PkgConfig::CRYPTO)
add_executable(bench_log bench/bench_log.c)
target_link_libraries(bench_log PRIVATE hf_parent)
