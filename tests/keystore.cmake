# Tests of keystore/ (the KMS client's are in keystore_kms.cmake) and of the simulator's NSM.
include(keystore_kms.cmake OPTIONAL)

hf_unit(unit_keystore_derive SOURCES unit_keystore_derive.c LIBS hf_support hf_keystore)
hf_unit(unit_keystore_attest SOURCES unit_keystore_attest.c LIBS hf_support hf_attest)
hf_unit(unit_keystore_cms SOURCES unit_keystore_cms.c keystore_envelope.c LIBS hf_support hf_keystore)
hf_unit(unit_keystore_nsm SOURCES unit_keystore_nsm.c LIBS hf_support hf_keystore hf_sim_nsm)
hf_unit(unit_keystore_forge SOURCES unit_keystore_forge.c keystore_chain.c LIBS hf_support hf_attest)
hf_unit(unit_keystore_cose SOURCES unit_keystore_cose.c LIBS hf_support hf_attest)
hf_unit(fault_keystore SOURCES fault_keystore.c LIBS hf_faults hf_keystore hf_sim_nsm WRAP ${HF_FAULT_WRAP})

hf_fuzz(cose LIBS hf_attest REACH cose.certificates cose.verified cose.request cose.response)
hf_fuzz(cms LIBS hf_keystore REACH cms.whole cms.pieces)
