from kstream.cli import main

main()
