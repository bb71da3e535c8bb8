# Tests of core/, and what the tests of every area share.
include(fuzz.cmake)

# hf_support: published vectors, Check's main (tests/support/vectors.h, check_main.h).
# hf_faults: fault loops (tests/support/faults.h); use with WRAP ${HF_FAULT_WRAP}.
add_library(hf_support STATIC support/vectors.c support/check_main.c)
target_link_libraries(hf_support PUBLIC hf_core PkgConfig::JANSSON PkgConfig::CHECK)
add_library(hf_faults STATIC support/faults.c)
target_link_libraries(hf_faults PUBLIC hf_support)
set(HF_FAULT_WRAP malloc calloc realloc free strdup strndup random_bytes)

target_sources(hf_support PRIVATE support/child.c)

hf_unit(unit_core_err SOURCES unit_core_err.c LIBS hf_faults hf_support hf_core WRAP ${HF_FAULT_WRAP})
hf_unit(unit_core_buf SOURCES unit_core_buf.c LIBS hf_support hf_core)
hf_unit(unit_core_hash SOURCES unit_core_hash.c LIBS hf_support hf_core)
hf_unit(unit_core_secret SOURCES unit_core_secret.c LIBS hf_support hf_secret)
hf_unit(unit_core_crypto SOURCES unit_core_crypto.c LIBS hf_support hf_secret)
# Twice: by whichever library this machine's processor allows, and by libcrypto as on one without VAES.
hf_unit(unit_core_crypto_plain SOURCES unit_core_crypto.c support/no_ipsec.c LIBS hf_support hf_secret WRAP gcm_ipsec_ready)
hf_unit(unit_core_gcm SOURCES unit_core_gcm.c LIBS hf_support hf_secret WRAP gcm_ipsec_ready)
hf_unit(unit_core_vectors_plain SOURCES unit_core_vectors.c support/no_ipsec.c LIBS hf_support hf_secret WRAP gcm_ipsec_ready)
hf_unit(unit_core_vectors SOURCES unit_core_vectors.c LIBS hf_support hf_secret)
hf_unit(unit_core_io SOURCES unit_core_io.c LIBS hf_support hf_core)
hf_unit(unit_core_blk SOURCES unit_core_blk.c LIBS hf_support hf_core)
hf_unit(unit_core_conf SOURCES unit_core_conf.c LIBS hf_support hf_core)
hf_unit(unit_core_msg SOURCES unit_core_msg.c LIBS hf_faults hf_support hf_secret WRAP ${HF_FAULT_WRAP})
hf_unit(prop_core_msg SOURCES prop_core_msg.c LIBS hf_support hf_secret)
hf_unit(unit_core_sandbox SOURCES unit_core_sandbox.c LIBS hf_support hf_secret)
hf_unit(fault_core SOURCES fault_core.c LIBS hf_faults hf_support hf_secret WRAP ${HF_FAULT_WRAP})

hf_fuzz(frames LIBS hf_core REACH frames.bye)
hf_fuzz(conf LIBS hf_core REACH conf.refused)
