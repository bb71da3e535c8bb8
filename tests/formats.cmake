# Fixtures of the wire formats: what earlier programs wrote must be read.
hf_unit(unit_formats SOURCES unit_formats.c formats_case.c formats_make.c log_case.c LIBS hf_seal_rig hf_journal hf_keystore PkgConfig::CRYPTO)
