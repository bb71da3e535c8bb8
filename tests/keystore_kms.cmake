# Tests of the KMS client: key names, signatures, credentials, HTTP, answers.
hf_unit(unit_keystore_aws SOURCES unit_keystore_aws.c LIBS hf_support hf_aws)

add_executable(prop_keystore_sigv4 prop_keystore_sigv4.c)
target_link_libraries(prop_keystore_sigv4 PRIVATE hf_aws)
add_test(NAME prop_keystore_sigv4 COMMAND Python3::Interpreter ${CMAKE_CURRENT_SOURCE_DIR}/models/sigv4.py $<TARGET_FILE:prop_keystore_sigv4>)

# The client against holdfast-sim, by a driver that does the fetch role's part and the keeper's.
add_executable(kms_drive kms_drive.c)
target_link_libraries(kms_drive PRIVATE hf_kms hf_keystore hf_daemon)
