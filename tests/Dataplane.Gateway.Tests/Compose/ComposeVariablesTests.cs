using Dataplane.Configuration;
using Dataplane.Gateway.Compose;

namespace Dataplane.Gateway.Tests.Compose;

/// <summary>Variables in compose files, by the rules of the compose-spec, and what is said of those that are not set or not well written.</summary>
public sealed class ComposeVariablesTests
{
    private readonly List<ConfigurationError> _errors = [];
    private readonly List<ConfigurationError> _remarks = [];

    [Theory]
    [InlineData("plain", "plain")]
    [InlineData("$SET", "value")]
    [InlineData("${SET}", "value")]
    [InlineData("a$SET.b", "avalue.b")]
    [InlineData("${SET}_b$$SET", "value_b$SET")]
    [InlineData("$$$SET", "$value")]
    [InlineData("${UNSET:-other}", "other")]
    [InlineData("${UNSET-other}", "other")]
    [InlineData("${EMPTY:-other}", "other")]
    [InlineData("${EMPTY-other}", "")]
    [InlineData("${SET:-other}", "value")]
    [InlineData("${UNSET:-}", "")]
    [InlineData("${UNSET:-80}:80", "80:80")]
    [InlineData("${SET:+other}", "other")]
    [InlineData("${EMPTY:+other}", "")]
    [InlineData("${EMPTY+other}", "other")]
    [InlineData("${UNSET+other}", "")]
    [InlineData("${SET:?why}", "value")]
    [InlineData("${EMPTY?why}", "")]
    [InlineData("${UNSET:-${SET}}", "value")]
    [InlineData("${UNSET:-${UNSET2:-a}b}c", "abc")]
    [InlineData("${UNSET:-a$$b}", "a$b")]
    public void Apply_WellWritten_IsTheVariablesValue(string text, string value)
    {
        Assert.Equal(value, Apply(text));
        Assert.Empty(_errors);
        Assert.Empty(_remarks);
    }

    [Theory]
    [InlineData("${UNSET:?name it}", "needs the variable UNSET: name it")]
    [InlineData("${EMPTY:?}", "needs the variable EMPTY, which is not set")]
    [InlineData("${UNSET?}", "needs the variable UNSET, which is not set")]
    [InlineData("${SET", "has a $ that begins no variable")]
    [InlineData("${}", "has a $ that begins no variable")]
    [InlineData("5 $ each", "has a $ that begins no variable")]
    [InlineData("$", "has a $ that begins no variable")]
    [InlineData("$1", "has a $ that begins no variable")]
    [InlineData("${SET:*}", "has ${SET:*}, in which :* is none of")]
    [InlineData("${SET:}", "has ${SET:}, in which : is none of")]
    [InlineData("${UNSET:-${UNSET:-${UNSET:-${UNSET:-${UNSET:-${UNSET:-${UNSET:-${UNSET:-${UNSET:-a}}}}}}}}}", "has a $ that begins no variable")]
    public void Apply_Wrong_IsAnErrorWithItsLine(string text, string why)
    {
        Apply(text);
        ConfigurationError error = Assert.Single(_errors);
        Assert.Contains(why, error.Message, StringComparison.Ordinal);
        Assert.Equal((2, "a[0].b"), (error.Line, error.Path));
    }

    [Fact]
    public void Apply_NotSet_IsNothingAndSaid()
    {
        Assert.Equal("-", Apply("-${UNSET}"));
        Assert.StartsWith("names the variable UNSET, which is not set: it is left empty", Assert.Single(_remarks).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Load_EnvironmentFileBesideTheFile_GivesValuesThatTheEnvironmentDoesNot()
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("compose-");
        try
        {
            File.WriteAllText(Path.Combine(folder.FullName, ".env"), "# of ours\nDPTEST_IMAGE=web:2 # the second\nexport DPTEST_PORT='8080'\nDPTEST_NAME=\"Shop $\"\nPATH=/nowhere\n\nnothing\n");
            File.WriteAllText(Path.Combine(folder.FullName, "compose.yaml"), "name: $DPTEST_NAME\nservices: { web: { image: \"$DPTEST_IMAGE\", hostname: $PATH, ports: [ \"${DPTEST_PORT}:80\" ] } }\n");
            ComposeProject project = ComposeReader.Load(Path.Combine(folder.FullName, "compose.yaml"), null, _remarks);
            ComposeService web = Assert.Single(project.Services);
            Assert.Equal(("shop", "web:2", 8080, Environment.GetEnvironmentVariable("PATH")), (project.Name, web.Image, web.Ports[0].HostPort, web.HostName));
            Assert.Equal("shop", ComposeReader.LoadName(Path.Combine(folder.FullName, "compose.yaml")));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private string Apply(string text)
    {
        var written = ConfigNode.Scalar(text, isQuoted: true, "compose.yaml", 2, 8);
        var root = ConfigNode.Mapping([new ConfigEntry("a", ConfigNode.Sequence([ConfigNode.Mapping([new ConfigEntry("b", written)])]))]);
        var variables = new ComposeVariables(name => name switch { "SET" => "value", "EMPTY" => "", _ => null }, _errors, _remarks);
        return variables.Apply(root).Get("a")!.Items[0].Get("b")!.Text;
    }
}
