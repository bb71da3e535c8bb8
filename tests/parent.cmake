# Tests of parent/.
hf_unit(unit_parent_store SOURCES unit_parent_store.c LIBS hf_parent hf_support
  WRAP write fsync flock mkdirat unlinkat renameat renameat2 openat)
hf_unit(unit_parent_session SOURCES unit_parent_session.c LIBS hf_parent hf_seal hf_support)
hf_unit(unit_parent_config SOURCES unit_parent_config.c LIBS hf_parent hf_support)
