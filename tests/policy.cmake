hf_unit(unit_policy SOURCES unit_policy.c LIBS hf_support hf_policy)
