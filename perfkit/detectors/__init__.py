"""What finds a sync while the program runs, one file each. All of them publish `Hit`s to `evidence`."""
