from runtime.testing.simulation.many import main

if __name__ == "__main__":
    main()
