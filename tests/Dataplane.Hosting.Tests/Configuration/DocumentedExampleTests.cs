using System.Text;
using Dataplane.Hosting.Configuration;
using Microsoft.Extensions.Configuration;

namespace Dataplane.Hosting.Tests.Configuration;

/// <summary>The examples of docs/CONFIGURATION.md are configurations that load.</summary>
public class DocumentedExampleTests
{
    public static TheoryData<string> Yaml => [.. Embedded.Blocks(Embedded.Read("CONFIGURATION.md"), "yaml")];

    [Theory]
    [MemberData(nameof(Yaml))]
    public void Parse_YamlOfTheDocumentation_Loads(string text) => Assert.Empty(ConfigurationFile.Parse(text, "CONFIGURATION.md").Errors);

    [Fact]
    public void Load_AppSettingsOfTheDocumentation_Loads()
    {
        string json = Assert.Single(Embedded.Blocks(Embedded.Read("CONFIGURATION.md"), "json"));
        IConfigurationRoot configuration = new ConfigurationBuilder().AddJsonStream(new MemoryStream(Encoding.UTF8.GetBytes(json))).Build();
        Assert.Empty(ConfigurationBinding.Load(configuration.GetSection("Dataplane")).Errors);
    }

    [Fact]
    public void Parse_ErrorsOfTheDocumentation_AreAsPrinted()
    {
        // The block shows a file and what check says of it.
        string shown = Assert.Single(Embedded.Blocks(Embedded.Read("CONFIGURATION.md"), "text"));
        string[] parts = shown.Split("\n\n");
        Assert.Equal(parts[1].Trim().Split('\n'), ConfigurationFile.Parse(parts[0] + "\n", "gateway.yaml").Errors.Select(error => error.ToString()));
    }
}
