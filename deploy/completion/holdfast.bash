# Completion of holdfast(1) for bash: source this file, or put it into
# /usr/share/bash-completion/completions/holdfast.
_holdfast()
{
    local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} command=${COMP_WORDS[1]} words
    COMPREPLY=()
    if [ "$COMP_CWORD" -eq 1 ]; then
        words='run status setup public-key settings sign requests log seal backups backup restore disk address verify pcr eif key witness policy release veto permit genesis upgrade help --help --version'
        mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
        return
    fi
    case $before in
        show | check) if [[ $command = @(policy|release|veto|permit|genesis) ]]; then mapfile -t COMPREPLY < <(compgen -f -- "$current"); return; fi ;;
        verify) if [ "$command" = log ]; then mapfile -t COMPREPLY < <(compgen -f -- "$current"); return; fi ;;
        --config | --psbt | --tree | --document | --image | --statement | --announcement | --kernel | --ramdisk | --certificate | --evidence | --witnesses | --cosigned | --authorisation | --state) mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
        --store | --dir | copy | import) mapfile -t COMPREPLY < <(compgen -d -- "$current"); return ;;
        --keys | --veto-keys | --previous | --genesis | --policy | --release | --founders | --sig | --out) mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
        --profile) mapfile -t COMPREPLY < <(compgen -W 'reproducible-key confidential-script-1 confidential-script-2 holdfast-1' -- "$current"); return ;;
        --rules) mapfile -t COMPREPLY < <(compgen -W 'tapscript cat ctv csfs internalkey paircommit templatehash apo covenants lnhance rebindable' -- "$current"); return ;;
        --network) mapfile -t COMPREPLY < <(compgen -W 'mainnet testnet signet regtest' -- "$current"); return ;;
        --channel-key) mapfile -t COMPREPLY < <(compgen -W 'auto' -- "$current"); return ;;
        --url | --new-url) mapfile -t COMPREPLY < <(compgen -W 'http://127.0.0.1:8000 unix:' -- "$current"); return ;;
        --key)
            if [[ $command = @(policy|release|veto|permit|genesis) ]]; then mapfile -t COMPREPLY < <(compgen -f -- "$current"); fi
            return ;;
        --blockhash | --max-weight | --limit | --public-key | --script | --backup-root | --backup-csv | --backup-key | --size | --wait | --pcr | --max-age | --at | --nonce | --cmdline | --accept | --pcr0 | --account | --name | --log | --origin | --listen | --keep-last | --keep-daily | --keep-weekly | --keep-monthly | --protect | --service | --threshold | --veto-threshold | --delay | --emergency-threshold | --emergency-delay | --revoke | --valid | --not-before | --pcr1 | --pcr2 | --pcr8 | --sequence | --label | --commit | --min-generation | --last-sequence | --generation | --vetoed | --log-size | --head | --key-arn | --founders-threshold | --from | --vkey | --interval | --internal-key | --since | --before) return ;;
        --region) mapfile -t COMPREPLY < <(compgen -W 'us-east-1 us-west-2 eu-central-1 eu-west-1' -- "$current"); return ;;
        --root) [ "$command" != address ] && mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
    esac
    local ask='--url --channel-key --plain --root --image --pcr'
    case $command in
        run) words='--config --check' ;;
        status | seal | public-key | settings) words=$ask ;;
        sign) words="--psbt --finalize --dry-run --trace $ask" ;;
        setup) words="--key --blockhash --max-weight --accept --headers --network --anchor $ask" ;;
        requests) words="--limit $ask" ;;
        log) words="show verify monitor requests --store --config --from --limit --vkey --witnesses --cosigned --authorisation --state --interval --since --before $ask" ;;
        backups) words='--store --config' ;;
        backup) words='verify prune copy import drill --drill-config --start --at --wait --scratch --store --config --keep-last --keep-daily --keep-weekly --keep-monthly --protect --dry-run --deep --url --compare' ;;
        restore) words='--at --store --config' ;;
        disk) words='grow --size --url --channel-key --plain --root --image --pcr' ;;
        address) words='--public-key --root --tree --script --backup-root --backup-csv --backup-key --internal-key --rules --profile --network' ;;
        verify) words='--url --document --pcr --image --root --allow-debug --max-age --at --nonce --statement' ;;
        pcr) words='--kernel --cmdline --ramdisk --certificate' ;;
        eif) words='inspect' ;;
        key) words='policy create check --pcr0 --account --region --evidence --root --at' ;;
        witness) words='init add show serve --dir --name --log --origin --listen' ;;
        policy) words='init show sign check submit --url --service --network --keys --threshold --veto-keys --veto-threshold --delay --emergency-threshold --emergency-delay --revoke --previous --genesis --valid --key --out --sig --at' ;;
        release) words='init show sign check submit --url --policy --image --pcr0 --pcr1 --pcr2 --pcr8 --sequence --label --commit --min-generation --emergency --last-sequence --generation --vetoed --not-before --valid --key --out --sig --at' ;;
        veto) words='init show sign check submit --url --policy --release --valid --key --out --sig --at' ;;
        permit) words='init show sign check submit --url --policy --generation --log-size --head --not-before --valid --key --out --sig --at' ;;
        genesis) words='init show sign check submit --url --network --name --key-arn --blockhash --profile --keys --threshold --founders --founders-threshold --not-before --valid --key --out --sig --at' ;;
        upgrade) words='--release --sig --url --new-url --announcement --root --wait' ;;
        help) mapfile -t COMPREPLY < <(compgen -W 'run status setup public-key settings sign requests log seal backups backup restore disk address verify pcr eif key witness policy release veto permit genesis upgrade' -- "$current"); return ;;
        *) return ;;
    esac
    if { [ "$command" = sign ] || [ "$command" = pcr ] || [ "$before" = inspect ]; } && [ "${current#-}" = "$current" ]; then
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
        return
    fi
    mapfile -t COMPREPLY < <(compgen -W "$words --json --help" -- "$current")
}
complete -F _holdfast holdfast
