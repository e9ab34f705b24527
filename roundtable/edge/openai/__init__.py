"""OpenAI's API over what streams here: a model is a seat (`provider:model`) or a panel (`roundtable/NAME`)."""
