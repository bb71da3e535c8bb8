# Tests of the keys' side of the signer: keys, emulation, addresses, and the model in Python.
hf_unit(unit_signer_keys SOURCES unit_signer_keys.c LIBS hf_keys_test hf_address hf_emulate hf_support)
hf_unit(fault_signer_keys SOURCES fault_signer_keys.c LIBS hf_keys_test hf_emulate hf_address hf_support
  WRAP hmac_sha512 random_bytes secret_new secret_copy secp256k1_schnorrsig_sign32 secp256k1_schnorrsig_verify)
hf_unit(unit_signer_plan SOURCES unit_signer_plan.c LIBS hf_emulate hf_support)
hf_unit(unit_signer_emulate SOURCES unit_signer_emulate.c
  LIBS hf_keys_test hf_emulate hf_support PkgConfig::SECP)
hf_unit(unit_signer_rule_sets SOURCES unit_signer_rule_sets.c LIBS hf_emulate hf_support)
hf_unit(unit_signer_request SOURCES unit_signer_request.c LIBS hf_emulate hf_faults WRAP ${HF_FAULT_WRAP})

set(MODEL ${CMAKE_CURRENT_SOURCE_DIR}/models/bip341_verify.py)
add_test(NAME model_bip341_selftest COMMAND Python3::Interpreter ${MODEL} --selftest)
add_test(NAME model_bip341_vectors COMMAND Python3::Interpreter ${MODEL} --vectors)
set_tests_properties(model_bip341_vectors PROPERTIES SKIP_RETURN_CODE 77
  ENVIRONMENT "HOLDFAST_VECTORS_DIR=${HOLDFAST_VECTORS_DEFAULT}")

hf_unit(unit_signer_address SOURCES unit_signer_address.c LIBS hf_address hf_emulate hf_support)

# Timing: no branch and no address may depend on the master key.
set(CT_DOORS secp256k1_ec_pubkey_create secp256k1_ec_seckey_tweak_add secp256k1_keypair_create
  secp256k1_keypair_xonly_tweak_add secp256k1_schnorrsig_sign32 secp256k1_ecdh)
add_executable(ct_signer ct_signer.c)
target_link_libraries(ct_signer PRIVATE hf_keys hf_emulate)
foreach(f ${CT_DOORS})
  target_link_options(ct_signer PRIVATE -Wl,--wrap=${f})
endforeach()
find_program(VALGRIND valgrind)
if(VALGRIND AND NOT HOLDFAST_SANITIZE)
  set(CT_RUN ${VALGRIND} -q --error-exitcode=1 --suppressions=${CMAKE_CURRENT_SOURCE_DIR}/ct_signer.supp)
endif()
add_test(NAME ct_signer COMMAND ${CT_RUN} $<TARGET_FILE:ct_signer>)
add_test(NAME ct_signer_sees_a_leak COMMAND ${CT_RUN} $<TARGET_FILE:ct_signer> leak)
set_tests_properties(ct_signer ct_signer_sees_a_leak PROPERTIES SKIP_RETURN_CODE 77)
set_tests_properties(ct_signer_sees_a_leak PROPERTIES PASS_REGULAR_EXPRESSION "depends on uninitialised|SKIP:")

# Run by ./dev bench signer, never as a test.
add_executable(bench_sign bench/bench_sign.c)
target_link_libraries(bench_sign PRIVATE hf_keys hf_emulate hf_address PkgConfig::SECP)
foreach(f context_randomize ec_pubkey_parse ec_pubkey_serialize ec_pubkey_tweak_add ec_seckey_tweak_add keypair_create keypair_xonly_pub
    keypair_xonly_tweak_add schnorrsig_sign32 schnorrsig_verify xonly_pubkey_from_pubkey xonly_pubkey_parse xonly_pubkey_serialize
    xonly_pubkey_tweak_add xonly_pubkey_tweak_add_check)
  target_link_options(bench_sign PRIVATE -Wl,--wrap=secp256k1_${f})
endforeach()

hf_fuzz(emulate LIBS hf_emulate REACH emulate.parsed emulate.asked emulate.rules emulate.bound)

# Production objects cannot be given their randomness.
add_test(NAME signer_keys_symbols COMMAND Python3::Interpreter ${CMAKE_CURRENT_SOURCE_DIR}/signer_keys_symbols.py
  ${CMAKE_NM} $<TARGET_FILE:hf_keys_test> $<TARGET_FILE:hf_keys> ${PROJECT_BINARY_DIR}/daemon/holdfastd)

# Random requests: signed in C, judged in Python.
add_executable(prop_signer_model prop_signer_model.c)
target_link_libraries(prop_signer_model PRIVATE hf_keys hf_emulate hf_address)
add_test(NAME prop_signer_model COMMAND Python3::Interpreter ${CMAKE_CURRENT_SOURCE_DIR}/prop_signer_model.py
  $<TARGET_FILE:prop_signer_model>)
