# Tests of the script engine; those of the keys and of emulation are in signer_keys.cmake.
add_executable(vector_run vector_run.c vector_text.c vector_script.c vector_tx.c vector_assets.c vector_hash.c)
target_link_libraries(vector_run PRIVATE hf_script PkgConfig::JANSSON m)

# hf_vectors(KIND FILE): one published file, relative to vectors/bitcoin; skipped where it is not there.
function(hf_vectors kind file)
  string(MAKE_C_IDENTIFIER "vectors_${kind}_${file}" name)
  add_test(NAME ${name} COMMAND sh -c
    "exec \"$1\" \"$2\" \"\${HOLDFAST_VECTORS:-$HOLDFAST_VECTORS_DIR}/bitcoin/$3\"" sh $<TARGET_FILE:vector_run> ${kind} ${file})
  set_tests_properties(${name} PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 300
    ENVIRONMENT "HOLDFAST_VECTORS_DIR=${HOLDFAST_VECTORS_DEFAULT}")
endfunction()
hf_vectors(script_tests core/script_tests.json)
hf_vectors(script_tests core/script_tests_tapscript_expanded.json)
hf_vectors(tx_valid core/tx_valid.json)
hf_vectors(tx_invalid core/tx_invalid.json)
hf_vectors(sighash core/sighash.json)
hf_vectors(bip341 core/bip341_wallet_vectors.json)
hf_vectors(script_tests core-inquisition-28.1/script_tests.json)
hf_vectors(script_tests core-inquisition-28.1/script_tests_tapscript_expanded.json)
hf_vectors(tx_valid core-inquisition-28.1/tx_valid.json)
hf_vectors(tx_invalid core-inquisition-28.1/tx_invalid.json)
hf_vectors(sighash core-inquisition-28.1/sighash.json)
hf_vectors(bip341 core-inquisition-28.1/bip341_wallet_vectors.json)
hf_vectors(bip341 bips/bip-0341/wallet-test-vectors.json)
hf_vectors(bip340 bips/bip-0340/test-vectors.csv)
hf_vectors(assets btcd/taproot_ref_one_per_comment.json)
hf_vectors(assets btcd/taproot_ref.json)
hf_vectors(tx_valid bips/bip-0119/tx_valid.json)
hf_vectors(tx_invalid bips/bip-0119/tx_invalid.json)
hf_vectors(ctvhash bips/bip-0119/ctvhash.json)
hf_vectors(templatehash bips/bip-0446/basics.json)
hf_vectors(assets bips/bip-0446/script_assets_test.json)
hf_vectors(tx_valid csfs/csfs_tx_valid.json)
hf_vectors(tx_invalid csfs/csfs_tx_invalid.json)
hf_vectors(tx_valid lnhance/internalkey_tx_valid.json)

hf_unit(unit_signer_script SOURCES unit_signer_script.c script_case.c vector_text.c
  LIBS hf_script hf_support PkgConfig::SECP m)
hf_unit(unit_signer_caps SOURCES unit_signer_caps.c script_case.c vector_text.c
  LIBS hf_script hf_support PkgConfig::SECP m)
hf_unit(prop_signer_script SOURCES prop_signer_script.c script_case.c vector_text.c
  LIBS hf_script hf_faults hf_support PkgConfig::SECP m WRAP ${HF_FAULT_WRAP} TIMEOUT 300)
hf_unit(unit_signer_watch SOURCES unit_signer_watch.c script_case.c vector_text.c
  LIBS hf_script hf_support PkgConfig::SECP m)
hf_unit(unit_signer_legacy SOURCES unit_signer_legacy.c script_case.c vector_text.c
  LIBS hf_script hf_support PkgConfig::SECP m)
hf_unit(unit_signer_rules SOURCES unit_signer_rules.c script_case.c vector_text.c
  LIBS hf_script hf_support PkgConfig::SECP m)
hf_unit(unit_signer_tx SOURCES unit_signer_tx.c LIBS hf_script hf_faults WRAP ${HF_FAULT_WRAP})
add_executable(psbt_run psbt_run.c)
target_link_libraries(psbt_run PRIVATE hf_script)
hf_unit(unit_signer_psbt SOURCES unit_signer_psbt.c LIBS hf_script hf_faults hf_support WRAP ${HF_FAULT_WRAP})
hf_unit(unit_signer_taproot SOURCES unit_signer_taproot.c script_case.c vector_text.c
  LIBS hf_script hf_support PkgConfig::SECP m)

hf_fuzz(tx LIBS hf_script REACH tx.sound)
hf_fuzz(psbt LIBS hf_script REACH psbt.signable psbt.version2 psbt.written)
hf_fuzz(control_block LIBS hf_script REACH control_block.point control_block.commits)
hf_fuzz(script LIBS hf_script REACH script.tapscript script.rules)

# Run by ./dev bench signer, never as a test.
add_executable(bench_script bench/bench_script.c vector_text.c vector_script.c vector_assets.c)
target_link_libraries(bench_script PRIVATE hf_script hf_support PkgConfig::SECP m)
foreach(f xonly_pubkey_parse schnorrsig_verify xonly_pubkey_tweak_add_check ecdsa_verify)
  target_link_options(bench_script PRIVATE -Wl,--wrap=secp256k1_${f})
endforeach()

# What the engine says, for comparisons with other interpreters (system/test_bitcore.py).
add_executable(asset_run asset_run.c vector_text.c vector_assets.c)
target_link_libraries(asset_run PRIVATE hf_script PkgConfig::JANSSON m)

# Random tapscripts with every rule on, against the model in Python.
add_test(NAME model_tapscript_random COMMAND Python3::Interpreter
  ${CMAKE_CURRENT_SOURCE_DIR}/models/tapscript_random.py 250 1 $<TARGET_FILE:vector_run>)
set_tests_properties(model_tapscript_random PROPERTIES TIMEOUT 300)

# Runs of headers: made and judged in Python, judged in C; once more with hashes that need no work.
add_executable(header_run header_run.c)
target_link_libraries(header_run PRIVATE hf_script)
add_executable(header_run_soft header_run.c)
target_compile_definitions(header_run_soft PRIVATE HEADERS_SOFT)
target_link_options(header_run_soft PRIVATE -Wl,--wrap=sha256d)
target_link_libraries(header_run_soft PRIVATE hf_script)
add_test(NAME signer_headers COMMAND Python3::Interpreter -B ${CMAKE_CURRENT_SOURCE_DIR}/header_run.py
  $<TARGET_FILE:header_run> $<TARGET_FILE:header_run_soft>)
set_tests_properties(signer_headers PROPERTIES TIMEOUT 300)

hf_unit(unit_signer_headers SOURCES unit_signer_headers.c LIBS hf_script hf_support)
hf_fuzz(headers LIBS hf_script REACH headers.raw headers.retargeted headers.checkpoint)
if(HOLDFAST_FUZZ)
  target_link_options(fuzz_headers PRIVATE -Wl,--wrap=sha256d)
endif()
