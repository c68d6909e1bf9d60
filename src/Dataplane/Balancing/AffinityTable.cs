namespace Dataplane.Balancing;

/// <summary>Which backend clients went to last, for services that send a client where it was before. Shared by all workers, which give a client's flows to different ones.</summary>
/// <remarks>
/// <para>Asked for new flows only. One word for each client, read and written whole, without locks: 24 bits of a hash of the client, the backend's slot, and when
/// it was asked for last. Eight words that share a cache line are where a client can be. Two clients may be taken for one, which sends one of them to the
/// other's backend and does no other harm.</para>
/// <para>Memory is fixed, 512 KB: of more than 65,536 clients at a time, those longest not heard of are forgotten.</para>
/// </remarks>
internal sealed class AffinityTable
{
    /// <summary>Clients at most.</summary>
    public const int Capacity = 65536;

    private const int Ways = 8, SlotBits = 20, TickBits = 20, TagBits = 24;
    private const long MostAhead = 2; // Seconds that the clock of one worker may be ahead of that of another.
    private const long TickMask = (1 << TickBits) - 1, SlotMask = (1 << SlotBits) - 1;

    private readonly long[] _words = new long[Capacity];

    /// <summary>The slot of the backend a client went to last; -1 when it is not known or was too long ago.</summary>
    /// <param name="client">Two hashes of the client's address.</param>
    /// <param name="nowSeconds">Worker time.</param>
    /// <param name="timeoutSeconds">How long a client is remembered, up to a day.</param>
    public int Find((uint First, uint Second) client, long nowSeconds, int timeoutSeconds)
    {
        long tag = TagOf(client.Second);
        int line = LineOf(client.First);
        for (int way = 0; way < Ways; way++)
        {
            long word = Volatile.Read(ref _words[line + way]);
            if (word >>> (SlotBits + TickBits) == tag && Age(word, nowSeconds) < timeoutSeconds)
            {
                return (int)(word >> TickBits & SlotMask);
            }
        }

        return -1;
    }

    /// <summary>Notes where a client goes. A slot too large for the word is not noted.</summary>
    /// <param name="client">As in <see cref="Find"/>.</param>
    /// <param name="slot">The backend's slot.</param>
    /// <param name="nowSeconds">Worker time.</param>
    public void Note((uint First, uint Second) client, int slot, long nowSeconds)
    {
        if (slot > SlotMask)
        {
            return;
        }

        long tag = TagOf(client.Second), word = (tag << (SlotBits + TickBits)) | ((long)slot << TickBits) | (nowSeconds & TickMask);
        int line = LineOf(client.First), place = line;
        long oldest = -1;
        for (int way = 0; way < Ways; way++)
        {
            long there = Volatile.Read(ref _words[line + way]);
            if (there >>> (SlotBits + TickBits) == tag)
            {
                place = line + way;
                break;
            }

            long age = there == 0 ? long.MaxValue : Age(there, nowSeconds);
            if (age > oldest)
            {
                (oldest, place) = (age, line + way);
            }
        }

        Volatile.Write(ref _words[place], word);
    }

    /// <summary>All clients heard of within the timeout. While others note theirs.</summary>
    public List<AffinityEntry> Read(long nowSeconds, int timeoutSeconds)
    {
        List<AffinityEntry> clients = [];
        for (int place = 0; place < _words.Length; place++)
        {
            long word = Volatile.Read(ref _words[place]);
            if (word != 0 && Age(word, nowSeconds) < timeoutSeconds)
            {
                clients.Add(new AffinityEntry(place, (int)(word >>> (SlotBits + TickBits)), (int)(word >> TickBits & SlotMask), (int)Age(word, nowSeconds)));
            }
        }

        return clients;
    }

    /// <summary>Puts clients in that another table had, at their places.</summary>
    public void Restore(IEnumerable<AffinityEntry> clients, long nowSeconds)
    {
        foreach (AffinityEntry client in clients.Where(client => client.Slot <= SlotMask))
        {
            long word = ((long)client.Tag << (SlotBits + TickBits)) | ((long)client.Slot << TickBits) | ((nowSeconds - client.AgeSeconds) & TickMask);
            Volatile.Write(ref _words[client.Place], word);
        }
    }

    /// <summary>Never 0, which marks a free word.</summary>
    private static long TagOf(uint hash) => Math.Max(hash >> (32 - TagBits), 1);

    private static int LineOf(uint hash) => (int)(hash % (Capacity / Ways)) * Ways;

    /// <summary>Seconds since a word was written; 0 where another worker, whose clock is a moment ahead, has written it.</summary>
    private static long Age(long word, long nowSeconds) => Math.Max(((nowSeconds + MostAhead - word) & TickMask) - MostAhead, 0);
}
