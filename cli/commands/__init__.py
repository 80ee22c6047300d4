"""The commands of `aval`: options, and what a person reads; the work is done beside this folder."""
