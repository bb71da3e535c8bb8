# Tests of diskcrypt/. hf_seal_rig: one service with its store in memory (support/seal_rig.h).
add_library(hf_seal_rig STATIC support/seal_rig.c)
target_link_libraries(hf_seal_rig PUBLIC hf_seal hf_support)

hf_unit(unit_diskcrypt_format SOURCES unit_diskcrypt_format.c LIBS hf_manifest hf_support)
hf_unit(unit_diskcrypt_seal SOURCES unit_diskcrypt_seal.c LIBS hf_seal_rig)
hf_unit(unit_diskcrypt_seal_plain SOURCES unit_diskcrypt_seal.c support/no_ipsec.c LIBS hf_seal_rig WRAP gcm_ipsec_ready)
hf_unit(unit_diskcrypt_chain SOURCES unit_diskcrypt_chain.c LIBS hf_seal_rig)
hf_unit(unit_diskcrypt_live SOURCES unit_diskcrypt_live.c LIBS hf_seal_rig)
hf_unit(unit_diskcrypt_tamper SOURCES unit_diskcrypt_tamper.c LIBS hf_seal_rig)
hf_unit(fault_diskcrypt SOURCES fault_diskcrypt.c LIBS hf_faults hf_seal_rig
  WRAP ${HF_FAULT_WRAP} hkdf_sha256 gcm_open_key gcm_seal sha256)
hf_unit(prop_diskcrypt SOURCES prop_diskcrypt.c LIBS hf_seal_rig)
add_library(hf_image_place STATIC support/image_place.c)
target_link_libraries(hf_image_place PUBLIC hf_image hf_support)
hf_unit(unit_diskcrypt_image SOURCES unit_diskcrypt_image.c LIBS hf_image_place hf_seal_rig)
hf_unit(unit_diskcrypt_use SOURCES unit_diskcrypt_use.c LIBS hf_image_place hf_seal_rig)
hf_unit(unit_diskcrypt_luks SOURCES unit_diskcrypt_luks.c LIBS hf_luks hf_support)
hf_unit(unit_diskcrypt_link SOURCES unit_diskcrypt_link.c LIBS hf_parent hf_seal_rig)
hf_unit(unit_diskcrypt_model SOURCES unit_diskcrypt_model.c LIBS hf_seal_rig)
# The same copies by libcrypto, as on a processor without VAES: against the model in Python, too.
hf_unit(unit_diskcrypt_model_plain SOURCES unit_diskcrypt_model.c support/no_ipsec.c LIBS hf_seal_rig WRAP gcm_ipsec_ready)
add_test(NAME model_seal_selftest COMMAND Python3::Interpreter ${CMAKE_CURRENT_SOURCE_DIR}/models/seal_reader.py --selftest)

hf_fuzz(luks LIBS hf_luks_header REACH luks.sound)
hf_fuzz(head LIBS hf_manifest)
hf_fuzz(manifest LIBS hf_manifest REACH manifest.pack manifest.entries)
hf_fuzz(store_link LIBS hf_seal REACH store_link.head store_link.get store_link.list)
