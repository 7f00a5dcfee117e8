"""What every command needs: errors, files, checkpoints, signals, processes."""
