# What is known about a KMS key, and who may use it.
hf_unit(unit_keystore_key_policy SOURCES unit_keystore_key_policy.c LIBS hf_support hf_evidence)
hf_unit(unit_keystore_key_evidence SOURCES unit_keystore_key_evidence.c LIBS hf_support hf_evidence)
hf_fuzz(key_policy LIBS hf_evidence PkgConfig::JANSSON REACH key_policy.condition key_policy.clean key_policy.file)
hf_unit(unit_keystore_p256 SOURCES unit_keystore_p256.c LIBS hf_support hf_keystore PkgConfig::CRYPTO)
hf_unit(fault_keystore_key SOURCES fault_keystore_key.c LIBS hf_faults hf_support hf_keystore hf_evidence PkgConfig::JANSSON WRAP ${HF_FAULT_WRAP})
