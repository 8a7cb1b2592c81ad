module example.com/houses

go 1.26.0
