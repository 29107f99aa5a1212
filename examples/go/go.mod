module example.com/fakeagent

go 1.21
