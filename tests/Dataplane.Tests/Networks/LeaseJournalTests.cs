using Dataplane.Networks;
using Dataplane.Packets;
using FsCheck;
using FsCheck.Fluent;

namespace Dataplane.Tests.Networks;

/// <summary>The file of leases: whatever became of its end, it has what was said to be in it, and a change costs what it changes.</summary>
public sealed class LeaseJournalTests : IDisposable
{
    private static readonly AddressPool s_pool = new() { Subnet = IpPrefix.Parse("10.1.0.0/16") };

    private readonly string _directory = Directory.CreateTempSubdirectory("dataplane-journal-").FullName;

    private string File => Path.Combine(_directory, "net.leases");

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    /// <summary>A crash leaves the file cut off anywhere, with zeros or old bytes where the last change was to be.</summary>
    [Fact]
    public void Read_FileCutOffAnywhere_HasTheChangesThatAreWholeAndTakesMore() => Prop.ForAll(
        Gen.Choose(0, 19).NonEmptyListOf().ToArbitrary(), Gen.Choose(0, 1 << 20).ToArbitrary(), Gen.Choose(0, 2).ToArbitrary(), (steps, cut, rubbish) =>
        {
            AddressLeases leases = Open();
            leases.Remove("net");
            leases.Take("net", [s_pool], "first");
            var states = new List<(long Length, string State)> { (LengthOfFile, StateOf(Open())) };
            foreach (int step in steps)
            {
                if (step < 12)
                {
                    leases.Take("net", [s_pool], $"h{step}");
                }
                else
                {
                    leases.Release("net", $"h{step - 12}");
                }

                states.Add((LengthOfFile, StateOf(Open())));
            }

            long length = states[0].Length + (cut % (LengthOfFile - states[0].Length + 1));
            byte[] tail = rubbish switch { 0 => [], 1 => new byte[40], _ => [.. "deadbeef{\"last\":{}}"u8] };
            System.IO.File.WriteAllBytes(File, [.. System.IO.File.ReadAllBytes(File).AsSpan(0, (int)length), .. tail]);
            string expected = states.Last(state => state.Length <= length).State;
            Assert.Equal(expected, StateOf(Open()));

            // The next change stands where the broken one was.
            Assert.Single(Open().Take("net", [s_pool], "next"));
            Assert.Contains("next", StateOf(Open()), StringComparison.Ordinal);
            Open().Release("net", "next");
            Assert.Equal(expected, StateOf(Open()));
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(25));

    [Fact]
    public void Read_DamageWithGoodLinesBehindIt_IsRefusedAndNotOverwritten()
    {
        AddressLeases leases = Open();
        leases.Take("net", [s_pool], "a");
        long begin = LengthOfFile;
        leases.Take("net", [s_pool], "b");
        leases.Take("net", [s_pool], "c");
        byte[] bytes = System.IO.File.ReadAllBytes(File);
        bytes[begin + 20] ^= 1;
        System.IO.File.WriteAllBytes(File, bytes);

        IOException damaged = Assert.Throws<IOException>(() => Open().Take("net", [s_pool], "d"));
        Assert.Contains($"the line at byte {begin}", damaged.Message, StringComparison.Ordinal);
        Assert.Equal(bytes, System.IO.File.ReadAllBytes(File));
    }

    [Theory]
    [InlineData("")]
    [InlineData("something else, and longer than the first line of a file of leases is")]
    public void Read_FileOfAnother_IsRefused(string content)
    {
        System.IO.File.WriteAllText(File, content);
        Assert.Contains("damaged", Assert.Throws<IOException>(() => Open().Read("net")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Take_AmongThousands_WritesItsOwnChangeAlone()
    {
        AddressLeases leases = Open();
        const int Before = 3000;
        string[] holders = [.. Enumerable.Range(0, Before).Select(number => $"container-{number}/eth0")];
        WriteOld(holders);
        leases.Take("net", [s_pool], "first");
        long before = leases.BytesWritten("net");
        for (int more = 0; more < 20; more++)
        {
            leases.Take("net", [s_pool], $"more-{more}");
        }

        Assert.InRange(leases.BytesWritten("net") - before, 20 * 50, 20 * 200);
        Assert.Equal(Before + 21, Open().Read("net").Count);
    }

    [Fact]
    public void TakeAndRelease_Thousands_TheFileStaysAsLongAsWhatIsThere()
    {
        AddressLeases leases = Open();
        for (int round = 0; round < 400; round++)
        {
            leases.Take("net", [s_pool], "a");
            leases.Release("net", "a");
        }

        Assert.InRange(LengthOfFile, 1, 16 * 1024);
        Assert.Empty(Open().Read("net"));
    }

    [Fact]
    public void Take_AnotherHasMadeTheFileAnew_GoesOnWithThatOne()
    {
        AddressLeases one = Open(), other = Open();
        one.Take("net", [s_pool], "a");
        other.Take("net", [s_pool], "b");
        one.Remove("net");
        one.Take("net", [s_pool], "c");
        Assert.Equal("10.1.0.3", other.Take("net", [s_pool], "d")[0].ToString());
        Assert.Equal(["c", "d"], one.Read("net").Select(lease => lease.Holder));
    }

    [Fact]
    public void Take_FileOfAnEarlierVersion_IsTakenOver()
    {
        WriteOld("a", "b");
        Assert.Equal("10.1.0.4", Open().Take("net", [s_pool], "c")[0].ToString());
        Assert.Equal(["a", "b", "c"], Open().Read("net").Select(lease => lease.Holder));
        Assert.False(System.IO.File.Exists(Path.Combine(_directory, "net.json")));
    }

    private long LengthOfFile => new FileInfo(File).Length;

    private static string StateOf(AddressLeases leases) => string.Join(' ', leases.Read("net").Select(lease => $"{lease.Address}={lease.Holder}"));

    private AddressLeases Open() => new(_directory) { ReleaseDelay = TimeSpan.Zero };

    private void WriteOld(params string[] holders)
    {
        var file = new LeaseFile
        {
            Last = { ["10.1.0.0/16"] = IpAddress.FromV4(0x0A010001 + (uint)holders.Length).ToString() },
            Leases = [.. holders.Select((holder, number) => new LeaseEntry(IpAddress.FromV4(0x0A010002 + (uint)number).ToString(), holder, null))],
        };
        System.IO.File.WriteAllBytes(Path.Combine(_directory, "net.json"), file.ToBytes());
    }
}
