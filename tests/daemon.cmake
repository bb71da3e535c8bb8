# The daemon's roles, one at a time. Whole enclaves: system.cmake.
hf_unit(role_frames SOURCES role_frames.c LIBS hf_support hf_daemon TIMEOUT 300)
hf_unit(unit_daemon_book SOURCES unit_daemon_book.c LIBS hf_support hf_daemon)
hf_unit(unit_daemon_journal SOURCES unit_daemon_journal.c LIBS hf_seal_rig hf_journal)
hf_unit(unit_daemon_disk_log SOURCES unit_daemon_disk_log.c disk_case.c log_case.c LIBS hf_seal_rig hf_daemon PkgConfig::CRYPTO)
hf_unit(unit_daemon_disk_read SOURCES unit_daemon_disk_read.c disk_case.c log_case.c LIBS hf_seal_rig hf_daemon PkgConfig::CRYPTO)
hf_unit(unit_daemon_config SOURCES unit_daemon_config.c LIBS hf_support hf_daemon)
hf_unit(unit_daemon_attest SOURCES unit_daemon_attest.c LIBS hf_support hf_daemon hf_sim_nsm)
hf_unit(unit_daemon_secure SOURCES unit_daemon_secure.c LIBS hf_faults hf_daemon WRAP ${HF_FAULT_WRAP})
