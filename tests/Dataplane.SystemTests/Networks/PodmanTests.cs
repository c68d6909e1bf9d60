using System.Globalization;
using Dataplane.SystemTests.Support;

namespace Dataplane.SystemTests.Networks;

/// <summary>Real containers: podman calls the program as its CNI plugin, and knows nothing of it but the specification.</summary>
public sealed class PodmanTests
{
    private static readonly string[] s_subnets = ["10.83.0.0/24", "fd83::/64"];

    [SystemTheory("podman", "runc", "busybox", "nsenter", "curl")]
    [InlineData("tap")]
    [InlineData("veth")]
    public async Task Containers_OnOurNetwork_ReachEachOtherTheOutsideAndArePublished(string attach)
    {
        await using PodmanBed bed = await PodmanBed.CreateAsync(withUplink: true);
        await bed.AddNetworkAsync("web", attach, s_subnets);
        string root = await RootFileSystemAsync(bed, "hello");
        await bed.StartAsync("srv", "--network", "web", "--publish", "8080:80", "--rootfs", root, "/bin/httpd", "-f", "-v", "-p", "80", "-h", "/www");
        string[] addresses = await bed.Host.AddressesAsync("web", "srv");
        Assert.Equal(2, addresses.Length);
        Assert.Equal(attach, (await bed.Host.InspectAsync("web")).GetProperty("endpoints")[0].GetProperty("attach").GetString());

        // From a second container, with an address of its own choice: to the first by both families, and out.
        string asked = $"ping -c 2 -W 5 {addresses[0]} && ping -c 2 -W 5 {addresses[1]} && wget -q -O - http://{addresses[0]}/ && ping -c 2 -W 5 {ContainerHost.Outside} && nslookup srv";
        ProgramResult client = await bed.RunAsync("--name", "client", "--network", "web:ip=10.83.0.99", "--rootfs", root, "/bin/sh", "-c", asked);
        Assert.Contains("hello", client.Output, StringComparison.Ordinal);

        // By name, as the runtime has set the resolver from what the plugin said.
        Assert.Contains($"Address: {addresses[0]}", client.Output, StringComparison.Ordinal);

        // Published: from the outside by both families, and from the host.
        await ExpectPageAsync(bed.Host.Out, $"http://{ContainerHost.Engine}:8080/");
        await ExpectPageAsync(bed.Host.Out, $"http://[{ContainerHost.Engine6}]:8080/");
        await ExpectPageAsync(bed.Host.Host, $"http://{ContainerHost.Engine}:8080/");
        string log = await bed.LogAsync("srv");
        Assert.All(["10.83.0.99", ContainerHost.Outside, ContainerHost.Outside6], address => Assert.Contains($"{address}]", log, StringComparison.Ordinal));

        // The service crashes; the container does not notice.
        await bed.Host.KillServiceAsync();
        await bed.Host.StartServiceAsync(withUplink: true);
        await ExpectPageAsync(bed.Host.Out, $"http://{ContainerHost.Engine}:8080/");

        (await bed.PodmanAsync("rm", "--force", "--time", "0", "srv")).MustSucceed();
        Assert.Empty((await bed.Host.InspectAsync("web")).GetProperty("endpoints").EnumerateArray());
        await bed.Host.StopServiceAsync();
    }

    /// <summary>DATAPLANE_PODMAN_CYCLES says how often (2): containers that come, have their addresses, and go, beside one that stays.</summary>
    [SystemFact("podman", "runc", "busybox", "nsenter")]
    public async Task Containers_ThatComeAndGo_LeaveNothingBehind()
    {
        int cycles = int.Parse(Environment.GetEnvironmentVariable("DATAPLANE_PODMAN_CYCLES") ?? "2", CultureInfo.InvariantCulture);
        await using PodmanBed bed = await PodmanBed.CreateAsync(withUplink: false);
        await bed.AddNetworkAsync("web", "tap", s_subnets);
        string root = await RootFileSystemAsync(bed, "hello");
        await bed.StartAsync("stays", "--network", "web", "--rootfs", root, "/bin/httpd", "-f", "-p", "80", "-h", "/www");
        string address = (await bed.Host.AddressesAsync("web", "stays"))[0];
        int descriptors = 0;
        string links = "";
        for (int cycle = 0; cycle <= cycles; cycle++)
        {
            ProgramResult asked = await bed.RunAsync("--network", "web", "--rootfs", root, "/bin/wget", "-q", "-O", "-", $"http://{address}/");
            Assert.Equal("hello\n", asked.Output);
            if (cycle == 0)
            {
                // Only now there is what stays for good, such as the code that detaching needs.
                (descriptors, links) = (bed.Host.DescriptorsOfService(), await LinksAsync(bed));
            }
        }

        Assert.Single((await bed.Host.InspectAsync("web")).GetProperty("endpoints").EnumerateArray());
        Assert.Single(Directory.GetFiles(bed.Host.PathOf("state/endpoints/web")));
        Assert.InRange(bed.Host.DescriptorsOfService(), 0, descriptors + 2);
        Assert.Equal(links, await LinksAsync(bed));
        (await bed.PodmanAsync("rm", "--force", "--time", "0", "stays")).MustSucceed();
        await bed.Host.StopServiceAsync();
    }

    private static async Task<string> LinksAsync(PodmanBed bed) => (await ChildProgram.RunAsync(bed.Host.Host, ["ip", "-o", "-br", "link"])).MustSucceed().Output;

    private static async Task ExpectPageAsync(string home, string address) =>
        Assert.Equal("hello\n", (await ChildProgram.RunAsync(home, ["curl", "--silent", "--show-error", "--max-time", "30", address])).MustSucceed().Output);

    private static async Task<string> RootFileSystemAsync(PodmanBed bed, string page)
    {
        string root = bed.Host.PathOf("rootfs");
        foreach (string folder in (string[])["bin", "etc", "proc", "sys", "dev", "tmp", "www"])
            Directory.CreateDirectory(Path.Combine(root, folder));
        File.Copy(Programs.Find("busybox")!, Path.Combine(root, "bin/busybox"));
        foreach (string program in (string[])["sh", "ping", "httpd", "wget", "nslookup"])
            File.CreateSymbolicLink(Path.Combine(root, "bin", program), "busybox");
        await File.WriteAllTextAsync(Path.Combine(root, "www/index.html"), page + "\n");
        return root;
    }
}
