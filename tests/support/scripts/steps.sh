# A training script in bash: goes on from its checkpoint and appends JSON lines to the report file.
for argument in "$@"; do
    case "$argument" in
    --epochs=*) epochs="${argument#*=}" ;;
    --x=*) x="${argument#*=}" ;;
    esac
done
done=0
[ -f "$HPO_CHECKPOINT_DIR/epoch" ] && done=$(cat "$HPO_CHECKPOINT_DIR/epoch")
while [ "$done" -lt "$epochs" ]; do
    done=$((done + 1))
    echo "$done" >"$HPO_CHECKPOINT_DIR/epoch"
    echo "{\"epoch\": $done, \"loss\": $x, \"seed\": $HPO_TRIAL_SEED}" >>"$HPO_REPORT_FILE"
done
