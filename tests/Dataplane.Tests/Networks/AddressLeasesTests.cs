using Dataplane.Networks;
using Dataplane.Packets;
using FsCheck;
using FsCheck.Fluent;

namespace Dataplane.Tests.Networks;

/// <summary>Nobody has an address twice, nothing is lost, whatever happens.</summary>
public sealed class AddressLeasesTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("dataplane-leases-").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public void Take_NewNetwork_GivesHostsInTurnWithoutTheGateway()
    {
        AddressLeases leases = Open();
        Assert.Equal("10.1.0.2", Take(leases, Pool("10.1.0.0/29"), "a"));
        Assert.Equal("10.1.0.3", Take(leases, Pool("10.1.0.0/29"), "b"));
        leases.Release("net", "a");

        // An address rests as long as others are there.
        Assert.Equal("10.1.0.4", Take(leases, Pool("10.1.0.0/29"), "c"));
    }

    [Fact]
    public void Take_BothFamilies_GivesOneOfEach()
    {
        IReadOnlyList<IpAddress> given = Open().Take("net", [Pool("10.1.0.0/24"), Pool("fd00:1::/64")], "a");
        Assert.Equal(["10.1.0.2", "fd00:1::2"], given.Select(address => address.ToString()));
    }

    [Fact]
    public void Take_SameHolderAgain_GivesTheSame()
    {
        AddressLeases leases = Open();
        Assert.Equal(Take(leases, Pool("10.1.0.0/24"), "a"), Take(Open(), Pool("10.1.0.0/24"), "a"));
        Assert.Single(leases.Read("net"));
    }

    [Fact]
    public void Take_ReservedGatewayAndRange_AreHeeded()
    {
        AddressPool pool = Pool("10.1.0.0/24") with
        {
            Range = IpPrefix.Parse("10.1.0.8/30"),
            Gateway = IpAddress.Parse("10.1.0.9"),
            Reserved = [IpAddress.Parse("10.1.0.10")],
        };
        AddressLeases leases = Open();
        Assert.Equal(["10.1.0.8", "10.1.0.11"], [Take(leases, pool, "a"), Take(leases, pool, "b")]);
        LeaseException none = Assert.Throws<LeaseException>(() => Take(leases, pool, "c"));
        Assert.Contains("no free address in 10.1.0.8/30: 2 are in use", none.Message, StringComparison.Ordinal);

        // By itself an address outside the range may be asked for.
        Assert.Equal("10.1.0.77", leases.Take("net", [pool], "d", [IpAddress.Parse("10.1.0.77")])[0].ToString());
    }

    [Theory]
    [InlineData("10.1.0.1", "gateway")]
    [InlineData("10.1.0.0", "no host's")]
    [InlineData("10.1.0.255", "no host's")]
    [InlineData("10.1.0.2", "in use by a")]
    [InlineData("10.2.0.2", "in no subnet")]
    public void Take_WantedButNotToBeHad_SaysWhy(string wanted, string why)
    {
        AddressLeases leases = Open();
        Take(leases, Pool("10.1.0.0/24"), "a");
        LeaseException refused = Assert.Throws<LeaseException>(() => leases.Take("net", [Pool("10.1.0.0/24")], "b", [IpAddress.Parse(wanted)]));
        Assert.Contains(why, refused.Message, StringComparison.Ordinal);
        Assert.Single(leases.Read("net"));
    }

    [Fact]
    public void Release_BeforeTheDelayHasPassed_OnlyTheSameHolderGetsTheAddress()
    {
        var time = new SettableTime();
        AddressPool pool = Pool("10.1.0.0/30");
        var leases = new AddressLeases(_directory, time) { ReleaseDelay = TimeSpan.FromSeconds(10) };
        Assert.Equal("10.1.0.2", Take(leases, pool, "a"));
        leases.Release("net", "a");
        LeaseException resting = Assert.Throws<LeaseException>(() => Take(leases, pool, "b"));
        Assert.Contains("1 were given back less than 10 s ago", resting.Message, StringComparison.Ordinal);
        Assert.Equal("10.1.0.2", Take(leases, pool, "a"));
        leases.Release("net", "a");
        time.Now += TimeSpan.FromSeconds(10);
        Assert.Equal("10.1.0.2", Take(leases, pool, "b"));
    }

    [Fact]
    public void Reconcile_HoldersThatAreGone_LoseTheirs()
    {
        AddressLeases leases = Open();
        string kept = Take(leases, Pool("10.1.0.0/24"), "a"), lost = Take(leases, Pool("10.1.0.0/24"), "b");
        Assert.Equal([lost], leases.Reconcile("net", holder => holder == "a").Select(address => address.ToString()));
        Assert.Equal([kept], Open().Read("net").Select(lease => lease.Address.ToString()));
    }

    [Fact]
    public void Take_DamagedFile_IsRefusedAndNotOverwritten()
    {
        File.WriteAllText(Path.Combine(_directory, "net.json"), "{ \"leases\": [");
        IOException damaged = Assert.Throws<IOException>(() => Take(Open(), Pool("10.1.0.0/24"), "a"));
        Assert.Contains("damaged", damaged.Message, StringComparison.Ordinal);
        Assert.Equal("{ \"leases\": [", File.ReadAllText(Path.Combine(_directory, "net.json")));
    }

    [Fact]
    public void Take_HalfWrittenFileOfACrash_IsNotLookedAt()
    {
        Take(Open(), Pool("10.1.0.0/24"), "a");
        File.WriteAllText(Path.Combine(_directory, "net.leases.new"), "datapl");
        Assert.Equal("10.1.0.3", Take(Open(), Pool("10.1.0.0/24"), "b"));
    }

    [Theory]
    [InlineData("")]
    [InlineData("../net")]
    [InlineData(".net")]
    public void Take_NameThatIsNoFile_IsRefused(string name) =>
        Assert.Throws<ArgumentException>(() => Open().Take(name, [Pool("10.1.0.0/24")], "a"));

    /// <summary>Whatever is taken and given back in whatever order: no address is held twice, each is one that may be given, and the file has what was said.</summary>
    [Fact]
    public void TakeAndRelease_AnyOrder_KeepOneHolderPerAddress()
    {
        AddressPool[] pools = [Pool("10.1.0.0/28"), Pool("fd00:1::/124")];
        Prop.ForAll(Gen.Choose(0, 19).ListOf().ToArbitrary(), steps =>
        {
            var model = new Dictionary<string, IReadOnlyList<IpAddress>>();
            AddressLeases leases = Open();
            leases.Remove("net");
            foreach (int step in steps)
            {
                string holder = $"h{step % 10}";
                if (step < 10)
                {
                    IReadOnlyList<IpAddress> given = leases.Take("net", pools, holder);
                    Assert.True(!model.TryGetValue(holder, out IReadOnlyList<IpAddress>? had) || had.SequenceEqual(given));
                    model[holder] = given;
                }
                else
                {
                    Assert.Equal(model.Remove(holder, out IReadOnlyList<IpAddress>? had) ? 2 : 0, leases.Release("net", holder).Count);
                }

                Assert.All(model.Values.SelectMany(addresses => addresses), address => Assert.Contains(pools, pool => pool.CanGive(address)));
                Assert.Equal(model.Count * 2, model.Values.SelectMany(addresses => addresses).Distinct().Count());
            }

            Assert.Equal(model.Values.SelectMany(addresses => addresses).Order(), leases.Read("net").Select(lease => lease.Address));
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(25));
    }

    /// <summary>The lock is the file's, not the object's: threads with objects of their own are to each other what processes are.</summary>
    [Fact]
    public void Take_ManyAtOnce_NobodyGetsWhatAnotherHas()
    {
        const int Workers = 8, Each = 12;
        AddressPool pool = Pool("10.1.0.0/25");
        var given = new System.Collections.Concurrent.ConcurrentBag<string>();
        Parallel.For(0, Workers, new ParallelOptions { MaxDegreeOfParallelism = Workers }, worker =>
        {
            AddressLeases own = Open();
            for (int i = 0; i < Each; i++)
            {
                given.Add(Take(own, pool, $"{worker}/{i}"));
                if (i % 3 == 2)
                {
                    own.Release("net", $"{worker}/{i - 1}");
                    given.Add(Take(own, pool, $"{worker}/{i - 1}/again"));
                }
            }
        });
        IReadOnlyList<AddressLease> held = Open().Read("net");
        Assert.Equal(Workers * Each, held.Count);
        Assert.Equal(held.Count, held.Select(lease => lease.Address).Distinct().Count());
        Assert.Subset(given.ToHashSet(), held.Select(lease => lease.Address.ToString()).ToHashSet());
    }

    private static AddressPool Pool(string subnet) => new() { Subnet = IpPrefix.Parse(subnet) };

    private static string Take(AddressLeases leases, AddressPool pool, string holder) => leases.Take("net", [pool], holder)[0].ToString();

    private AddressLeases Open() => new(_directory) { ReleaseDelay = TimeSpan.Zero };

    private sealed class SettableTime : TimeProvider
    {
        public DateTimeOffset Now { get; set; } = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

        public override DateTimeOffset GetUtcNow() => Now;
    }
}
