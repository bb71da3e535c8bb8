hf_unit(unit_policy SOURCES unit_policy.c LIBS hf_support hf_policy)
hf_unit(unit_policy_log SOURCES unit_policy_log.c LIBS hf_support hf_policy)
hf_unit(unit_policy_note SOURCES unit_policy_note.c LIBS hf_support hf_policy)
hf_unit(unit_policy_cosign SOURCES unit_policy_cosign.c LIBS hf_support hf_policy)
