using System.Text;
using Dataplane.Networks;
using Dataplane.Packets;
using FsCheck;
using FsCheck.Fluent;

namespace Dataplane.Tests.Networks;

/// <summary>Leases as one document that several hosts change, each only if nobody else has since it read it.</summary>
public sealed class LeaseDocumentTests
{
    private static readonly DateTimeOffset s_now = new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);

    private static AddressPool[] Pools => [new AddressPool { Subnet = IpPrefix.Parse("10.1.0.0/29") }];

    /// <summary>A host does something for a container; it has read the document a few writes ago.</summary>
    private sealed record Step(int Host, int Container, int Kind, bool IsStale);

    [Fact]
    public void Take_FromNothing_GivesAndIsWrittenAsFilesAre()
    {
        LeaseDocument document = Read([]);
        Assert.False(document.IsChanged);
        Assert.Equal("10.1.0.2", document.Take("net", Pools, "a@h1")[0].ToString());
        Assert.True(document.IsChanged);
        Assert.Equal("10.1.0.3", Read(document.ToBytes()).Take("net", Pools, "b@h2")[0].ToString());
        Assert.Equal("10.1.0.2", Read(document.ToBytes()).Take("net", Pools, "a@h1")[0].ToString());
    }

    [Fact]
    public void Rename_OfOneThatMoves_KeepsItsAddressWhetherHeldOrResting()
    {
        LeaseDocument document = Read([]);
        IpAddress held = document.Take("net", Pools, "a@h1")[0], resting = document.Take("net", Pools, "b@h1")[0];
        document.Release(holder => holder == "b@h1");
        document.Rename("a@h1", "a@h2");
        document.Rename("b@h1", "b@h2");
        Assert.Equal(held, document.Take("net", Pools, "a@h2")[0]);
        Assert.Equal(resting, document.Take("net", Pools, "b@h2")[0]);
        Assert.Equal(["a@h2", "b@h2"], document.Leases.Select(lease => lease.Holder));
    }

    [Theory]
    [InlineData("{")]
    [InlineData("null")]
    [InlineData("[]")]
    public void Read_Damaged_SaysSo(string text) => Assert.Throws<FormatException>(() => Read(Encoding.UTF8.GetBytes(text)));

    [Fact]
    public void Changes_OfSeveralHosts_NeverGiveAnAddressTwice()
    {
        Gen<Step> steps = from host in Gen.Choose(0, 2) from container in Gen.Choose(0, 4) from kind in Gen.Choose(0, 2) from stale in Gen.Elements(true, false) select new Step(host, container, kind, stale);
        Prop.ForAll(steps.ListOf(60).ToArbitrary(), Run).Check(Config.QuickThrowOnFailure.WithMaxTest(100));
    }

    private static bool Run(IList<Step> steps)
    {
        // The registry: a value and its revision. Whoever read an earlier one is refused, and reads again.
        byte[] value = [], before = [];
        int revision = 0;
        var has = new Dictionary<string, IpAddress>();
        foreach (Step step in steps)
        {
            (byte[] read, int at) = step.IsStale ? (before, revision - 1) : (value, revision);
            for (bool isWritten = false; !isWritten;)
            {
                LeaseDocument document = Read(read);
                string holder = $"{step.Container}@{step.Host}";
                IpAddress? taken = Do(document, step, holder);
                isWritten = at == revision;
                if (isWritten)
                {
                    (before, value, revision) = (value, document.ToBytes(), revision + 1);
                    Note(has, step, holder, taken);
                }

                (read, at) = (value, revision);
            }

            Assert.Equal(has.Count, has.Values.Distinct().Count());
        }

        return true;
    }

    private static IpAddress? Do(LeaseDocument document, Step step, string holder)
    {
        if (step.Kind == 1)
        {
            document.Release(candidate => candidate == holder);
            return null;
        }

        if (step.Kind == 2)
        {
            foreach (string other in new[] { 0, 1, 2 }.Where(host => host != step.Host).Select(host => $"{step.Container}@{host}"))
            {
                document.Rename(other, holder);
            }
        }

        try
        {
            return document.Take("net", Pools, holder)[0];
        }
        catch (LeaseException)
        {
            return null;
        }
    }

    private static void Note(Dictionary<string, IpAddress> has, Step step, string holder, IpAddress? taken)
    {
        if (step.Kind != 0)
        {
            foreach (string gone in has.Keys.Where(key => step.Kind == 1 ? key == holder : key.StartsWith($"{step.Container}@", StringComparison.Ordinal)).ToArray())
            {
                has.Remove(gone);
            }
        }

        if (taken is { } address)
        {
            has[holder] = address;
        }
    }

    private static LeaseDocument Read(byte[] bytes) => LeaseDocument.Read(bytes, s_now);
}
