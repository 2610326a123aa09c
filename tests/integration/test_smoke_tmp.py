def test_smoke(acme, beta, database):
    card = acme.enrolled(100)
    assert beta.redeem(card, 40).ok().balance.available == 60
    assert acme.balance(card).available == 60
    print(database.entries(card))
