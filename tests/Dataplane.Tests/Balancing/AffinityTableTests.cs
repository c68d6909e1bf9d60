using Dataplane.Balancing;
using FsCheck;
using FsCheck.Fluent;

namespace Dataplane.Tests.Balancing;

public sealed class AffinityTableTests
{
    /// <summary>Few clients, so that none is forgotten for want of room: then it is a dictionary with times.</summary>
    [Fact]
    public void Find_AnyHistoryOfFewClients_IsADictionary()
    {
        Gen<(int Client, int Slot, int Wait, bool Note)[]> cases =
            (from client in Gen.Choose(1, 8)
             from slot in Gen.Choose(0, 1000)
             from wait in Gen.Choose(0, 40)
             from note in Gen.Elements(true, false)
             select (client, slot, wait, note)).ArrayOf();
        Prop.ForAll(cases.ToArbitrary(), history =>
        {
            var table = new AffinityTable();
            var model = new Dictionary<int, (int Slot, long At)>();
            long now = (1 << 20) - 20;
            foreach ((int client, int slot, int wait, bool note) in history)
            {
                now += wait;

                // All in one line.
                (uint, uint) hashes = (7, (uint)client << 8);
                int expected = model.TryGetValue(client, out (int Slot, long At) known) && now - known.At < 60 ? known.Slot : -1;
                Assert.Equal(expected, table.Find(hashes, now, 60));
                if (note)
                {
                    table.Note(hashes, slot, now);
                    model[client] = (slot, now);
                }
            }
        }).QuickCheckThrowOnFailure();
    }

    [Fact]
    public void Note_OneClientMoreThanThereIsRoomFor_ForgetsTheOneLongestNotHeardOf()
    {
        var table = new AffinityTable();
        for (uint client = 1; client <= 9; client++)
        {
            table.Note((3, client << 8), (int)client, client == 1 ? 1 : client);
        }

        Assert.Equal(-1, table.Find((3, 1 << 8), 10, 60));
        Assert.All(Enumerable.Range(2, 8), client => Assert.Equal(client, table.Find((3, (uint)client << 8), 10, 60)));
    }

    [Fact]
    public void Note_ASlotTooLargeForTheWord_IsNotNoted()
    {
        var table = new AffinityTable();
        table.Note((0, 0), (1 << 20) - 1, 5);
        Assert.Equal((1 << 20) - 1, table.Find((0, 0), 5, 60));
        table.Note((8, 0), 1 << 20, 5);
        Assert.Equal(-1, table.Find((8, 0), 5, 60));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Find_NotedByAWorkerWhoseClockIsAMomentAhead_IsKnown(int ahead)
    {
        var table = new AffinityTable();
        table.Note((1, 2), slot: 7, nowSeconds: 100 + ahead);
        Assert.Equal(7, table.Find((1, 2), nowSeconds: 100, timeoutSeconds: 60));
        Assert.Equal(-1, table.Find((1, 2), nowSeconds: 160 + ahead, timeoutSeconds: 60));
    }
}
