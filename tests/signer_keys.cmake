# Tests of the keys' side of the signer: keys, emulation, addresses, and the model in Python.
hf_unit(unit_signer_keys SOURCES unit_signer_keys.c LIBS hf_keys_test hf_address hf_emulate hf_support
  WRAP random_bytes secret_new secret_copy secp256k1_schnorrsig_sign32 secp256k1_schnorrsig_verify)

set(MODEL ${CMAKE_CURRENT_SOURCE_DIR}/models/bip341_verify.py)
add_test(NAME model_bip341_selftest COMMAND Python3::Interpreter ${MODEL} --selftest)
add_test(NAME model_bip341_vectors COMMAND Python3::Interpreter ${MODEL} --vectors)
set_tests_properties(model_bip341_vectors PROPERTIES SKIP_RETURN_CODE 77
  ENVIRONMENT "HOLDFAST_VECTORS_DIR=${HOLDFAST_VECTORS_DEFAULT}")

hf_unit(unit_signer_address SOURCES unit_signer_address.c LIBS hf_address hf_emulate hf_support)
