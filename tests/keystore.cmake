# Tests of keystore/ (the KMS client's are in keystore_kms.cmake) and of the simulator's NSM.
include(keystore_kms.cmake OPTIONAL)
include(keystore_key.cmake)
include(keystore_grant.cmake)

hf_unit(unit_keystore_derive SOURCES unit_keystore_derive.c LIBS hf_support hf_keystore)
hf_unit(unit_keystore_attest SOURCES unit_keystore_attest.c LIBS hf_support hf_attest)
hf_unit(unit_keystore_cms SOURCES unit_keystore_cms.c keystore_envelope.c LIBS hf_support hf_keystore)
hf_unit(unit_keystore_nsm SOURCES unit_keystore_nsm.c LIBS hf_support hf_keystore hf_sim_nsm)
hf_unit(unit_keystore_forge SOURCES unit_keystore_forge.c keystore_chain.c LIBS hf_support hf_attest)
hf_unit(unit_keystore_cose SOURCES unit_keystore_cose.c LIBS hf_support hf_attest)
hf_unit(unit_keystore_hpke SOURCES unit_keystore_hpke.c LIBS hf_support hf_channel WRAP random_bytes)
hf_unit(unit_keystore_channel SOURCES unit_keystore_channel.c LIBS hf_support hf_channel)
hf_unit(fault_keystore SOURCES fault_keystore.c LIBS hf_faults hf_keystore hf_sim_nsm WRAP ${HF_FAULT_WRAP})

# Every profile against a second implementation in Python.
add_executable(keyring_run keyring_run.c)
target_link_libraries(keyring_run PRIVATE hf_keystore)
add_test(NAME keystore_keyring_model COMMAND Python3::Interpreter -B ${CMAKE_CURRENT_SOURCE_DIR}/keyring_run.py $<TARGET_FILE:keyring_run>)
hf_unit(unit_keystore_eif SOURCES unit_keystore_eif.c LIBS hf_faults hf_attest WRAP ${HF_FAULT_WRAP})

hf_fuzz(eif LIBS hf_attest REACH eif.signed eif.claim)
hf_fuzz(cose LIBS hf_attest REACH cose.certificates cose.verified cose.request cose.response)
hf_fuzz(channel LIBS hf_channel REACH channel.head channel.answer channel.taken)
hf_fuzz(cms LIBS hf_keystore REACH cms.whole cms.pieces)

# The second implementation of the encrypted ways in agrees with the RFC and the published vectors.
foreach(way selftest vectors)
  add_test(NAME model_hpke_${way} COMMAND Python3::Interpreter ${CMAKE_CURRENT_SOURCE_DIR}/models/hpke.py --${way})
  set_tests_properties(model_hpke_${way} PROPERTIES SKIP_RETURN_CODE 77
    ENVIRONMENT "HOLDFAST_VECTORS_DIR=${HOLDFAST_VECTORS_DEFAULT}")
endforeach()

# Timing: no branch and no address may depend on Z or on the keyring.
add_executable(ct_keystore ct_keystore.c)
target_link_libraries(ct_keystore PRIVATE hf_keystore)
find_program(VALGRIND valgrind)
set(CT_KEYSTORE)
if(VALGRIND AND NOT HOLDFAST_SANITIZE)
  set(CT_KEYSTORE ${VALGRIND} -q --error-exitcode=1 --suppressions=${CMAKE_CURRENT_SOURCE_DIR}/ct_keystore.supp)
endif()
add_test(NAME ct_keystore COMMAND ${CT_KEYSTORE} $<TARGET_FILE:ct_keystore>)
add_test(NAME ct_keystore_sees_a_leak COMMAND ${CT_KEYSTORE} $<TARGET_FILE:ct_keystore> leak)
set_tests_properties(ct_keystore ct_keystore_sees_a_leak PROPERTIES SKIP_RETURN_CODE 77)
set_tests_properties(ct_keystore_sees_a_leak PROPERTIES PASS_REGULAR_EXPRESSION "depends on uninitialised|SKIP:")
