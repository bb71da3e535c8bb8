# Tests of parent/.
hf_unit(unit_parent_store SOURCES unit_parent_store.c LIBS hf_parent hf_support
  WRAP write fsync flock mkdirat unlinkat renameat renameat2 openat)
