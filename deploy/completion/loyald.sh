# shellcheck shell=bash
# bash completion of loyald; tests/integration/test_completion.py holds it against loyald --help.
_loyald() {
    local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
    case $before in
        -c | --config | --make-keyring) mapfile -t COMPREPLY < <(compgen -f -- "$current") ;;
        *)
            mapfile -t COMPREPLY < <(compgen -W '--config --check-config --dump-config-options --dump-metrics --limits
                --dump-fsm --make-keyring --version --help --usage' -- "$current")
            ;;
    esac
}
complete -o filenames -F _loyald loyald
