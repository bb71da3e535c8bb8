# Tests of diskcrypt/. hf_seal_rig: one service with its store in memory (support/seal_rig.h).
add_library(hf_seal_rig STATIC support/seal_rig.c)
target_link_libraries(hf_seal_rig PUBLIC hf_seal hf_support)

hf_unit(unit_diskcrypt_format SOURCES unit_diskcrypt_format.c LIBS hf_manifest hf_support)
hf_unit(unit_diskcrypt_seal SOURCES unit_diskcrypt_seal.c LIBS hf_seal_rig)
hf_unit(unit_diskcrypt_tamper SOURCES unit_diskcrypt_tamper.c LIBS hf_seal_rig)
