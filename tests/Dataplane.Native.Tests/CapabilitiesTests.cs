namespace Dataplane.Native.Tests;

public class CapabilitiesTests
{
    [Fact]
    public void Probe_Anywhere_AnswersEveryQuestionAndSaysHowToMend()
    {
        int before = ProcessResources.DescriptorCount();
        Capabilities found = Capabilities.Probe();
        for (int i = 0; i < 10; i++)
            found = Capabilities.Probe();

        // The runtime itself may open or close one meanwhile.
        Assert.InRange(ProcessResources.DescriptorCount(), 0, before + 5);
        string[] names =
        [
            "kernel", "CAP_NET_RAW", "CAP_NET_ADMIN", "CAP_SYS_ADMIN", "CAP_BPF",
            "AF_PACKET", "AF_XDP", "XDP program", "/dev/net/tun", "RLIMIT_MEMLOCK", "huge pages",
        ];
        Assert.Equal(names, found.Select(c => c.Name));
        Assert.All(found, c => Assert.Equal(c.Available, c.Remedy is null));
        Assert.All(found, c => Assert.NotEmpty(c.Detail));
        Assert.True(found["kernel"].Available);
        Assert.Throws<KeyNotFoundException>(() => found["CAP_FLY"]);
        string table = found.ToString();
        Assert.All(found, c => Assert.Contains(c.Name, table, StringComparison.Ordinal));
        Assert.Equal(found.Count + found.Count(c => !c.Available), table.Count(c => c == '\n'));
    }

    [PrivilegedFact]
    public void Probe_AsRoot_AgreesWithWhatWorks()
    {
        Capabilities found = Capabilities.Probe();
        Assert.True(found["CAP_NET_RAW"].Available);
        Assert.True(found["CAP_NET_ADMIN"].Available);
        Assert.True(found["CAP_SYS_ADMIN"].Available);
        Assert.True(found["AF_PACKET"].Available);
        Assert.True(found["AF_XDP"].Available);
        Assert.True(found["XDP program"].Available);
    }
}
