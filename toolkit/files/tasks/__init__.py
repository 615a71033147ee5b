"""The tasks that a cluster runs for an experiment: what is known of each, in the folder of the experiment."""
