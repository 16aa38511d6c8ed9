// Election and merge of three key servers, exhaustively: `tests/spin/run`.
//
// Kept: terms owned by id, the highest term heard of, choices as votes, claims, the better primary
// that claims above a worse one, stepping back, links that are cut and heal at any moment.
// Left out: time (a key server may take a peer that it does not reach for dead at any moment, and
// never one that it reaches), the disk, hand-over, priorities other than by id, the third party
// that passes on who leads, items. Cuts are both ways, and at most CUTS in number: then the network
// rests, and what the two claims below say has to come true. Without the votes (VOTE always true) both
// claims still hold: votes spare needless elections, owned terms and the merge keep order.
#define N    3
#define CUTS 3
#define NONE 255

bool cut[9];          // [a * N + b]
byte term[N];         // own, 0: not primary
byte lead[N];         // whom it follows
byte lead_term[N];
byte max_term[N];
byte cuts;
bool owned_twice;

#define REACH(a, b) (!cut[(a) * N + (b)])
#define OTHER1(i)   (((i) + 1) % N)
#define OTHER2(i)   (((i) + 2) % N)
// The best of those that i reaches, and itself: the highest id.
#define BEATS(i, j) (!REACH(i, j) || (j) < (i))
#define FRESH(i)    (lead[i] != NONE && lead[i] != (i) && REACH(i, lead[i]) && term[lead[i]] == lead_term[i])
// j would have i: it follows nobody that it reaches, and reaches nobody better than i.
#define WANTS(j, i) (!FRESH(j) && term[j] == 0 && (OTHER1(j) == (i) || BEATS(i, OTHER1(j)) || !REACH(j, OTHER1(j))) && (OTHER2(j) == (i) || BEATS(i, OTHER2(j)) || !REACH(j, OTHER2(j))) && (j) < (i))
#define VOTE(j, i)  (!REACH(i, j) || WANTS(j, i))

inline claim(i)
{
	max_term[i] = (max_term[i] / N + 1) * N + i;
	term[i] = max_term[i];
	lead[i] = i;
	lead_term[i] = term[i];
	owned_twice = owned_twice || (term[OTHER1(i)] == term[i]) || (term[OTHER2(i)] == term[i]);
}

// i hears the hello of j.
inline hear(i, j)
{
	if
	:: max_term[j] > max_term[i] -> max_term[i] = max_term[j]
	:: else
	fi;
	if
	:: term[j] != 0 && term[i] == 0 && (!FRESH(i) || term[j] >= lead_term[i]) ->
		lead[i] = j; lead_term[i] = term[j]
	:: term[j] > term[i] && term[i] != 0 && j > i -> // a better one: step back
		term[i] = 0; lead[i] = j; lead_term[i] = term[j]
	:: term[j] > term[i] && term[i] != 0 && j < i -> claim(i) // a worse one: above it
	:: else
	fi
}

proctype server(byte i)
{
end:	do
	:: atomic { REACH(i, OTHER1(i)) && (max_term[OTHER1(i)] > max_term[i] || (term[OTHER1(i)] != 0 && (term[i] == 0 && (!FRESH(i) || term[OTHER1(i)] > lead_term[i]) || term[i] != 0 && term[OTHER1(i)] > term[i]))) -> hear(i, OTHER1(i)) }
	:: atomic { REACH(i, OTHER2(i)) && (max_term[OTHER2(i)] > max_term[i] || (term[OTHER2(i)] != 0 && (term[i] == 0 && (!FRESH(i) || term[OTHER2(i)] > lead_term[i]) || term[i] != 0 && term[OTHER2(i)] > term[i]))) -> hear(i, OTHER2(i)) }
	:: atomic { term[i] == 0 && !FRESH(i) && BEATS(i, OTHER1(i)) && BEATS(i, OTHER2(i)) && VOTE(OTHER1(i), i) && VOTE(OTHER2(i), i) -> claim(i) }
	od
}

proctype network()
{
	byte a;
	do
	:: cuts < CUTS -> atomic {
		if :: a = 0 :: a = 1 :: a = 2 fi;
		cut[a * N + OTHER1(a)] = !cut[a * N + OTHER1(a)];
		cut[OTHER1(a) * N + a] = cut[a * N + OTHER1(a)];
		cuts++ }
	:: cuts == CUTS -> break
	:: break
	od;
	atomic { // all heals in the end
		cut[1] = false; cut[2] = false; cut[3] = false; cut[5] = false; cut[6] = false; cut[7] = false;
		cuts = CUTS + 1 }
}

init
{
	byte i;
	atomic {
		for (i : 0 .. 2) { lead[i] = NONE }
		run server(0); run server(1); run server(2); run network()
	}
}

#define ONE ((term[0] != 0) + (term[1] != 0) + (term[2] != 0) == 1)
ltl terms  { [] !owned_twice }
// Once the network rests, one leads, and all follow it, for good.
ltl merge { <> [] (ONE && lead[0] == lead[1] && lead[1] == lead[2]) }
