complete --keep-order --exclusive --command ipmi_simctl --arguments "(COMPLETE=fish ipmi_simctl -- (commandline --current-process --tokenize --cut-at-cursor) (commandline --current-token))"
