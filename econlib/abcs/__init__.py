"""Easy as ABCs: Boltzmann Q-learning and counterfactual regret minimisation in one."""
