# Tests of the KMS client: key names, signatures, credentials, HTTP, answers.
hf_unit(unit_keystore_aws SOURCES unit_keystore_aws.c LIBS hf_support hf_aws)

add_executable(prop_keystore_sigv4 prop_keystore_sigv4.c)
target_link_libraries(prop_keystore_sigv4 PRIVATE hf_aws)
add_test(NAME prop_keystore_sigv4 COMMAND Python3::Interpreter ${CMAKE_CURRENT_SOURCE_DIR}/models/sigv4.py $<TARGET_FILE:prop_keystore_sigv4>)
hf_unit(unit_keystore_kms SOURCES unit_keystore_kms.c LIBS hf_support hf_kms)
hf_unit(unit_keystore_http SOURCES unit_keystore_http.c LIBS hf_faults hf_kms WRAP ${HF_FAULT_WRAP})
hf_unit(fault_keystore_kms SOURCES fault_keystore_kms.c LIBS hf_faults hf_kms WRAP ${HF_FAULT_WRAP})

# The client against holdfast-sim and against liars, by a driver that does the fetch role's part
# (under that role's own list of system calls) and the keeper's.
add_executable(kms_drive kms_drive.c ${PROJECT_SOURCE_DIR}/daemon/calls.c)
target_link_libraries(kms_drive PRIVATE hf_kms hf_keystore)
add_test(NAME system_kms COMMAND Python3::Interpreter -B ${CMAKE_CURRENT_SOURCE_DIR}/system/test_kms.py
  $<TARGET_FILE:kms_drive> $<TARGET_FILE:holdfast-sim>)
# `native`: the sandbox under test is that of the plain build; a sanitizer runtime asks for more.
set_tests_properties(system_kms PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 300 LABELS native)

hf_fuzz(kms_json LIBS hf_kms REACH kms_json.describe kms_json.creds kms_json.error)
