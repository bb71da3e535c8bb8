hf_unit(unit_policy SOURCES unit_policy.c LIBS hf_support hf_policy)
hf_unit(unit_policy_log SOURCES unit_policy_log.c LIBS hf_support hf_policy)
hf_unit(unit_policy_note SOURCES unit_policy_note.c LIBS hf_support hf_policy)
hf_unit(unit_policy_cosign SOURCES unit_policy_cosign.c LIBS hf_support hf_policy)
hf_unit(unit_policy_witness SOURCES unit_policy_witness.c LIBS hf_support hf_policy)
hf_unit(unit_policy_witnesses SOURCES unit_policy_witnesses.c LIBS hf_support hf_policy)

hf_fuzz(note LIBS hf_policy REACH note.key note.checkpoint)
hf_fuzz(witness LIBS hf_policy REACH witness.signed witness.proof)
