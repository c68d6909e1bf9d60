using Dataplane.Gateway.Compose;

namespace Dataplane.Gateway.Tests.Compose;

/// <summary>What podman is called with for a service of an image that it has.</summary>
public sealed class PodmanLineTests
{
    [Fact]
    public void PodmanLine_EverythingAFileSays_IsPassedOn()
    {
        var service = new ComposeService("web")
        {
            Image = "busy",
            Command = ["/bin/sh", "-c", "echo \"a\""],
            EntryPointWords = 2,
            WorkingDirectory = "/srv",
            HostName = "www",
            Environment = [KeyValuePair.Create("A", "b c")],
        };
        string line = string.Join('|', ReplicaMaker.PodmanLine(new Replica("web", "p-web-1"), service, "/h", "/r"));
        Assert.Equal(
            "run|--detach|--replace|--name|p-web-1|--network|ns:/var/run/netns/p-web-1|--volume|/h:/etc/hosts|--volume|/r:/etc/resolv.conf|--hostname|www|--workdir|/srv"
            + "|--entrypoint|[\"/bin/sh\",\"-c\"]|--env|A=b c|busy|echo \"a\"", line);
    }

    [Fact]
    public void PodmanLine_AnImageAlone_RunsWhatTheImageSays()
    {
        var attachment = new ReplicaAttachment("net", "eth0", [], []) { Socket = "/run/s/memif.sock" };
        string[] line = ReplicaMaker.PodmanLine(new Replica("web", "p-web-1") { Attachments = [attachment] }, new ComposeService("web") { Image = "busy" }, "/h", "/r");
        Assert.Equal(
            ["--hostname", "p-web-1", "--volume", "/run/s:/run/memif/eth0:ro", "--env", "MEMIF_ETH0=/run/memif/eth0/memif.sock", "busy"], line[^7..]);
    }
}
