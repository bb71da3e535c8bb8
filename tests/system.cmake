# Whole processes on this machine. Label `native`: not repeated in the sanitized build.
function(hf_system name script timeout)
  add_test(NAME ${name} COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/tests/system/${script})
  set_tests_properties(${name} PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT ${timeout} RUN_SERIAL TRUE LABELS native
    ENVIRONMENT "HOLDFAST_SOURCE=${PROJECT_SOURCE_DIR};HOLDFAST_BUILD=${PROJECT_BINARY_DIR};HOLDFAST_VECTORS_DIR=${HOLDFAST_VECTORS_DEFAULT}")
endfunction()
hf_system(system_roles test_roles.py 600)
hf_system(system_crash test_crash.py 600)
hf_system(system_store test_store.py 600)
hf_system(system_channel test_channel.py 300)
hf_system(system_main_job test_main_job.py 300)
hf_system(system_attestation test_attestation.py 300)
hf_system(system_key test_key.py 600)
hf_system(system_blockhash test_blockhash.py 300)
